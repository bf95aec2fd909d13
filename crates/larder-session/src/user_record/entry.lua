-- A session on the list: when it ends at the latest, and when it was added. What is damaged is 0.
local function entry(value)
  local ends, added = string.match(value or '', '^(%-?%d+) (%-?%d+)$')
  return tonumber(ends) or 0, tonumber(added) or 0
end

