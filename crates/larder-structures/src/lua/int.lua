-- An integer within 2^53, as it is written here, or nil for anything else.
local function int(text)
  if not text or #text > 17 then return nil end
  if text ~= '0' and not string.match(text, '^%-?[1-9]%d*$') then return nil end
  local n = tonumber(text)
  if math.abs(n) > 9007199254740992 or num(n) ~= text then return nil end
  return n
end

