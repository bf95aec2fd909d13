-- KEYS[1]: the user. ARGV: the new epoch; the spared session or ''; the session that asks and its epoch,
-- or two empty texts.
local now = now()
local state, latest = unpack(redis.call('HMGET', KEYS[1], 'e', 'x'))
local epoch, spared = string.sub(state or '', 1, 16), string.sub(state or '', 17)
local asked = ARGV[3] ~= ''
if not state then
  -- No session of the user is in force: there is nothing to revoke.
  if asked then return {1, {}} end
  return {0, {}}
end
-- A revoked session cannot revoke. If the epoch is the new one, this ran before.
if epoch ~= ARGV[1] and asked and epoch ~= ARGV[4] and spared ~= ARGV[3] then return {1, {}} end

-- What is no number is 0: then the last of the sessions that are listed ends it.
latest = tonumber(latest) or 0
local ids = {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local id, ends = string.match(all[at], '^s:(.*)$'), tonumber(all[at + 1]) or 0
  if id and id ~= ARGV[2] and now < ends then ids[#ids + 1] = id end
  if id then latest = math.max(latest, ends) end
end
local ms = math.ceil((latest - now) / 1000)
redis.call('HSET', KEYS[1], 'e', ARGV[1] .. ARGV[2], 'x', num(now + ms * 1000))
ttl(KEYS[1], ms)
return {0, ids}
