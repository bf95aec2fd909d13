-- ARGV: how many writes to take; for how long they are taken, and how long the journal is kept, in
-- microseconds; after how many attempts a write is dead.
local now = now()
local until_ = now + tonumber(ARGV[2])
local taken, dropped, dead = {}, 0, 0
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', num(now), 'LIMIT', '0', ARGV[1])) do
  local held = read(KEYS[1], key)
  if held and held.attempts >= tonumber(ARGV[4]) then
    -- Its last worker has reported no outcome: the write may end each process that takes it.
    write(KEYS[3], key, held)
    ends(key)
    dead = dead + 1
  elseif held then
    held.attempts = held.attempts + 1
    write(KEYS[1], key, held)
    redis.call('ZADD', KEYS[2], num(until_), key)
    -- An earlier release queued writes without this time, and removed writes but not their time.
    redis.call('ZADD', KEYS[5], 'NX', num(now), key)
    taken[#taken + 1] = {key, num(held.version), num(held.attempts), held.value}
  else
    -- A key without a readable write would hold up the others for ever.
    ends(key)
    dropped = dropped + 1
  end
end
for _, key in ipairs(redis.call('ZRANGE', KEYS[5], '0', '15')) do
  if redis.call('HEXISTS', KEYS[1], key) == 1 then break end
  redis.call('ZREM', KEYS[5], key)
end
if #taken + dead > 0 then keep(tonumber(ARGV[3])) end
local function first(set)
  local score = redis.call('ZRANGE', set, '0', '0', 'WITHSCORES')[2]
  return score and num(tonumber(score)) or '-1'
end
return {num(until_), first(KEYS[2]), taken, dropped, dead, num(redis.call('HLEN', KEYS[1])), first(KEYS[5])}
