-- A number of the list. What is damaged is 0.
local function int(text)
  return text and #text <= 16 and tonumber(string.match(text, '^%-?%d+$') or 0) or 0
end

-- A session on the list: when it ends at the latest, and when it was added.
local function entry(value)
  local ends, added = string.match(value or '', '^(%-?%d+) (%-?%d+)$')
  return int(ends), int(added)
end

-- The kind, s or e, and the id of a session on the list. The kind is nil where an earlier release, which does not know
-- evicted sessions, has left `e:` beside the `s:` of a later sign-in: only the latter counts.
local function listed(field)
  local kind, id = string.match(field, '^([se]):(.*)$')
  if kind == 'e' and redis.call('HGET', KEYS[1], 's:' .. id) then kind = nil end
  return kind, id
end

-- Whether a state can be read: the epoch, the reason and whether the account is disabled, and perhaps a session.
local function is_whole(state)
  return #state == 18 or (#state == 40 and string.find(state, '^[A-Za-z0-9_-]*[AQgw]$', 19))
end

-- The marks that hold yet: each is a session, the one that is about to end it, and when the mark expires.
local function marks(now)
  local held = {}
  for session, by, till in string.gmatch(redis.call('HGET', KEYS[1], 'r') or '', '(%S+) (%S+) (%d+);') do
    if now < int(till) then held[#held + 1] = {session, by, till} end
  end
  return held
end

local function is_marked(held, session)
  for _, mark in ipairs(held) do
    if mark[1] == session then return true end
  end
  return false
end

