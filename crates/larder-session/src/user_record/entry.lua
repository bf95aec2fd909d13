-- A number of the list. What is damaged is 0.
local function int(text)
  return text and #text <= 16 and tonumber(string.match(text, '^%-?%d+$') or 0) or 0
end

-- A session on the list: when it ends at the latest, and when it was added.
local function entry(value)
  local ends, added = string.match(value or '', '^(%-?%d+) (%-?%d+)$')
  return int(ends), int(added)
end

-- Whether a state can be read: the epoch, the reason and whether the account is disabled, and perhaps a session.
local function is_whole(state)
  return #state == 18 or (#state == 40 and string.find(state, '^[A-Za-z0-9_-]*[AQgw]$', 19))
end

