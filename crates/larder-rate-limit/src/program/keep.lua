
-- Keeps the TAT, and a ban that is not over.
local function keep()
  local text, latest = num(tat), math.max(tat, banned)
  if banned > now then text = text .. '|' .. num(banned) end
  if latest > now then
    put(KEYS[1], text, math.floor((latest - now + 999) / 1000))
  else
    del(KEYS[1])
  end
end
