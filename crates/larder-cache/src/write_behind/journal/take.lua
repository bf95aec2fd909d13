-- ARGV: how many writes to take; for how long they are taken, and how long the journal is kept, in
-- microseconds; after how many attempts a write is dead; the form of the values that the worker reads; how long a
-- write of another form is left, in microseconds.
local now = now()
local many, until_ = tonumber(ARGV[1]), now + tonumber(ARGV[2])
local taken, dropped, dead, left_now = {}, 0, 0, 0

local mine = redis.call('ZRANGEBYLEX', KEYS[6], '[' .. ARGV[5], '(' .. ARGV[5] .. '\255', 'LIMIT', '0', ARGV[1])
local overdue = num(now - tonumber(ARGV[6]))
local others = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', overdue, 'LIMIT', '0', '100')
local all = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', num(now), 'LIMIT', '0', num(many + 100))

for _, key in ipairs(others) do
  if not due(key) then
    local held = read(KEYS[1], key)
    if not held then
      redis.call('ZREM', KEYS[7], key)
    elseif form(held.value) ~= ARGV[5] then
      -- No worker that can read it was there for too long.
      dies(key, held)
      dead = dead + 1
    end
  end
end

-- Those that others have left for this worker come first.
for at = #mine, 1, -1 do
  redis.call('ZREM', KEYS[6], mine[at])
  table.insert(all, 1, string.sub(mine[at], 11))
end
for _, key in ipairs(all) do
  if #taken == many then break end
  local held = read(KEYS[1], key)
  if not held then
    -- A key without a readable write would hold up the others for ever.
    ends(key)
    dropped = dropped + 1
  elseif form(held.value) ~= ARGV[5] then
    redis.call('ZREM', KEYS[2], key)
    redis.call('ZADD', KEYS[6], '0', form(held.value) .. key)
    left(key, now)
    left_now = left_now + 1
  elseif held.attempts >= tonumber(ARGV[4]) then
    -- Its last worker has reported no outcome: the write may end each process that takes it.
    dies(key, held)
    dead = dead + 1
  else
    held.attempts = held.attempts + 1
    write(KEYS[1], key, held)
    redis.call('ZADD', KEYS[2], num(until_), key)
    -- An earlier release queued writes without this time, and removed writes but not their time.
    redis.call('ZADD', KEYS[5], 'NX', num(now), key)
    taken[#taken + 1] = {key, num(held.version), num(held.attempts), held.value}
  end
end
for _, key in ipairs(redis.call('ZRANGE', KEYS[5], '0', '15')) do
  if redis.call('HEXISTS', KEYS[1], key) == 1 then break end
  redis.call('ZREM', KEYS[5], key)
end
if #taken + dead + left_now > 0 then keep(tonumber(ARGV[3])) end
local function first(set)
  local score = redis.call('ZRANGE', set, '0', '0', 'WITHSCORES')[2]
  return score and num(tonumber(score)) or '-1'
end
local waiting = num(redis.call('HLEN', KEYS[1]))
return {num(until_), first(KEYS[2]), taken, dropped, dead, left_now, waiting, first(KEYS[5])}
