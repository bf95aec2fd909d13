-- KEYS: the list and the state of a user. ARGV: the new epoch; the reason; how long the account is
-- disabled, in microseconds, or 0; the spared session or ''; the session that asks and its epoch, or two
-- empty texts.
local now = now()
local state = redis.call('GET', KEYS[2])
-- Nobody is signed in to an account with a damaged state, which counts as disabled.
if state and not is_whole(state) then state = false end
local epoch, spared = string.sub(state or '', 1, 16), string.sub(state or '', 19)
local asked, disabled = ARGV[5] ~= '', tonumber(ARGV[3])
if not state and disabled == 0 then
  -- No session of the user is in force: there is nothing to revoke.
  if asked then return {1, {}} end
  return {0, {}}
end
-- A revoked session cannot revoke, nor one that another is about to end. If the epoch is the new one, this ran before.
local is_disabled = (string.byte(state or '', 18) or 0) ~= 0
local may = not is_disabled and (epoch == ARGV[6] or spared == ARGV[5])
if asked and is_marked(marks(now), ARGV[5]) then may = false end
if epoch ~= ARGV[1] and asked and not may then return {1, {}} end

-- A value that is not a number counts as 0: then the record ends with the last listed session.
local latest = int(redis.call('HGET', KEYS[1], 'x'))
local ids = {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local kind, id = listed(all[at])
  if kind then
    local ends = entry(all[at + 1])
    if id ~= ARGV[4] and now < ends then ids[#ids + 1] = id end
    latest = math.max(latest, ends)
  end
end
if disabled > 0 then latest = math.max(latest, now + disabled) end
local ms = math.max(1, math.ceil((latest - now) / 1000))
put(KEYS[2], ARGV[1] .. string.char(tonumber(ARGV[2]), (disabled > 0 or is_disabled) and 1 or 0) .. ARGV[4], ms)
redis.call('HSET', KEYS[1], 'x', num(now + ms * 1000))
ttl(KEYS[1], ms)
return {0, ids}
