-- ARGV: how many; for how long they are taken, and how long the journal is kept, in microseconds.
local now = now()
local until_ = now + tonumber(ARGV[2])
local taken, dropped = {}, 0
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', num(now), 'LIMIT', '0', ARGV[1])) do
  local held = read(KEYS[1], key)
  if held then
    held.attempts = held.attempts + 1
    write(KEYS[1], key, held)
    redis.call('ZADD', KEYS[2], num(until_), key)
    taken[#taken + 1] = {key, num(held.version), num(held.attempts), held.value}
  else
    -- It would hold up the others for ever.
    redis.call('HDEL', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
    dropped = dropped + 1
  end
end
if #taken > 0 then keep(tonumber(ARGV[3])) end
local next = redis.call('ZRANGE', KEYS[2], '0', '0', 'WITHSCORES')[2]
return {num(until_), next and num(tonumber(next)) or '-1', taken, dropped}
