-- ARGV: for each job its id and its fence, 'a' ack, 'n' nack, 'j' reject, 'r' release or 'e' extend, the
-- delay or the lease, and the reason.
local max_attempts, retention = tonumber(ARGV[3]), tonumber(ARGV[10])

local function settle(id, of_fence, op, micros, reason)
  local j = load(id)
  if not j then
    local known = redis.call('ZSCORE', KEYS[6], id)
    return known and tonumber(known) > at and 2 or 3
  end
  local rank = redis.call('ZSCORE', KEYS[3], id)
  if num(j.f) ~= of_fence or not rank or tonumber(rank) < LEASED then return 3 end
  changed = true
  if op == 'a' then
    leave(id, j)
    forget(id)
    if retention > 0 then
      redis.call('ZADD', KEYS[6], num(at + retention), id)
      made[6], latest = true, math.max(latest, at + retention)
    end
  elseif op == 'e' then
    redis.call('ZADD', KEYS[3], num(LEASED + at + micros), id)
    latest = math.max(latest, at + micros)
  elseif op == 'j' or op == 'n' and j.a >= max_attempts then
    bury(id, j, reason)
    return 1
  else
    if op == 'r' then j.a = j.a - 1 else j.r = reason end
    j.d = at + micros
    if micros == 0 then place(id, j) else hide(id, j) end
    save(id, j)
  end
  return 0
end

local settled = {}
for i = 13, #ARGV, 5 do
  settled[#settled + 1] = settle(ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4])
end
if changed then
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', num(at), 'LIMIT', 0, 64)) do
    redis.call('ZREM', KEYS[6], old)
  end
  local over = math.min(redis.call('ZCARD', KEYS[6]) - tonumber(ARGV[11]), 64)
  if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[6], 0, over - 1) end
  keep()
end
-- What has ended makes room under a limit of what runs.
if placed or sooner or changed and tonumber(ARGV[5]) > 0 then wake() end
return settled
