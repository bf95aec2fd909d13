-- ARGV: for each job its id, '+' and a delay or '@' and a time, priority, the mode of its unique key and
-- how long that lasts, whether it replaces another, its unique key, group, and body.
local most, retention = tonumber(ARGV[4]), tonumber(ARGV[10])
local fields = redis.call('HLEN', KEYS[2])
local live = fields / 2 - redis.call('ZCARD', KEYS[5])
local was_empty = #redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(0', 'LIMIT', 0, 1) == 0
local forgot = false

local function add(i)
  local id, key, group, body = ARGV[i], ARGV[i + 7], ARGV[i + 8], ARGV[i + 9]
  if redis.call('HEXISTS', KEYS[2], id) == 1 then return {0, id} end
  local known = redis.call('ZSCORE', KEYS[6], id)
  if known and tonumber(known) > at then return {0, id} end
  local due = tonumber(ARGV[i + 2])
  if ARGV[i + 1] == '+' then due = at + due end
  due = math.max(math.min(due, LEASED - 1), at)

  if key ~= '' then
    if not forgot then
      for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', num(at), 'LIMIT', 0, 64)) do
        redis.call('ZREM', KEYS[8], old)
        redis.call('HDEL', KEYS[7], old)
        changed = true
      end
      forgot = true
    end
    local other, key_ends = redis.call('HGET', KEYS[7], key), redis.call('ZSCORE', KEYS[8], key)
    if other and not (key_ends and tonumber(key_ends) <= at) then
      local j = ARGV[i + 6] == '1' and load(other)
      local rank = j and tonumber(redis.call('ZSCORE', KEYS[3], other) or -1)
      if j and j.s == 0 and rank >= 0 and rank < LEASED then
        changed = true
        j.d = due
        hide(other, j)
        redis.call('HSET', KEYS[2], other, text(j), '\0' .. other, body)
      end
      return {0, other}
    end
  end
  if live >= most or key ~= '' and redis.call('HLEN', KEYS[7]) >= most then return {2, ''} end

  changed, live = true, live + 1
  local j = {
    c = tonumber(ARGV[i + 3]), s = 0, a = 0, f = 0, e = at, d = due, u = ARGV[i + 4], k = key, g = group, r = '',
  }
  if due > at then hide(id, j) else place(id, j) end
  redis.call('HSET', KEYS[2], id, text(j), '\0' .. id, body)
  made[2] = fields == 0
  if key ~= '' then
    redis.call('HSET', KEYS[7], key, id)
    made[7] = true
    if j.u == 't' then
      local key_ends = at + tonumber(ARGV[i + 5])
      redis.call('ZADD', KEYS[8], num(key_ends), key)
      made[8], latest = true, math.max(latest, key_ends)
    else
      redis.call('ZREM', KEYS[8], key)
    end
  end
  return {1, id}
end

local added = {}
for i = 13, #ARGV, 10 do added[#added + 1] = add(i) end
if changed then keep() end
if sooner or placed and was_empty then wake() end
return added
