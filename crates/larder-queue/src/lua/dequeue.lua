-- ARGV: how many.
local many, max_attempts, max_running = tonumber(ARGV[13]), tonumber(ARGV[3]), tonumber(ARGV[5])
if not meta[3] or meta[4] == '1' then return {num(at), '0', false, {}} end

-- Leases that have ended, and jobs that are due.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], num(LEASED), num(LEASED + at), 'LIMIT', 0, 64)) do
  local j = load(id)
  changed = true
  if not j then
    redis.call('ZREM', KEYS[3], id)
  else
    j.d = at
    if j.a >= max_attempts then
      bury(id, j, 'the lease of its last attempt ended')
    else
      place(id, j)
      save(id, j)
    end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], 0, num(at), 'LIMIT', 0, 64)) do
  local j = load(id)
  changed = true
  if j then
    place(id, j)
    save(id, j)
  else
    redis.call('ZREM', KEYS[3], id)
  end
end

local free, next_at = many, nil
if max_running > 0 then
  free = math.min(free, max_running - redis.call('ZCOUNT', KEYS[3], num(LEASED), '+inf'))
end
local interval, burst = tonumber(ARGV[8]), tonumber(ARGV[9])
-- A rate that was slower, or a clock that was ahead, has used up one period at most.
local tat = math.min(math.max(number(meta[5]), at), at + burst * interval)
if interval > 0 then
  local spare = math.floor((at + burst * interval - tat) / interval)
  free = math.min(free, spare)
  if spare <= 0 then next_at = tat + interval - burst * interval end
end

local jobs, taken, looks, lease_ends = {}, 0, 0, at + tonumber(ARGV[2])
local function lease(id)
  local held = redis.call('HMGET', KEYS[2], id, '\0' .. id)
  local j = parse(held[1])
  if not j or not held[2] then
    redis.call('ZREM', KEYS[3], id)
    return
  end
  fence = math.max(fence + 1, at)
  j.f, j.a = fence, j.a + 1
  if j.u == 's' then free_key(id, j) end
  if j.g ~= '' then
    redis.call('ZREM', KEYS[4], waiting(id, j))
    redis.call('ZADD', KEYS[4], 0, 'b' .. j.g .. '\0' .. id)
    made[4] = true
  end
  redis.call('ZADD', KEYS[3], num(LEASED + lease_ends), id)
  local new = text(j)
  redis.call('HSET', KEYS[2], id, new)
  jobs[#jobs + 1], jobs[#jobs + 2], jobs[#jobs + 3] = id, new, held[2]
  taken = taken + 1
end

while taken < free and looks < 512 do
  local wanted = math.min(free - taken, 512 - looks)
  local found = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(0', 'LIMIT', 0, wanted)
  if #found == 0 then break end
  looks, changed = looks + #found, true
  for _, member in ipairs(found) do
    if string.byte(member, 1) == 0 then
      local g = string.sub(member, 2)
      local first = first_of(g)
      if per_group > 0 and busy(g) >= per_group then first = nil end
      -- The turn of the group is over: the next one is at the end.
      redis.call('ZREM', KEYS[3], member)
      made[3] = true
      if first then
        lease(string.sub(first, #g + 20))
        offer(g)
      end
    else
      lease(member)
    end
  end
end

if taken > 0 then latest = math.max(latest, lease_ends) end
if interval > 0 and taken > 0 then redis.call('HSET', KEYS[1], 'tat', num(tat + taken * interval)) end
if taken == 0 and many > 0 then
  for _, band in ipairs({{'0', '(' .. num(LEASED), 0}, {num(LEASED), '+inf', LEASED}}) do
    local first = redis.call('ZRANGEBYSCORE', KEYS[3], band[1], band[2], 'WITHSCORES', 'LIMIT', 0, 1)
    if first[2] then
      local time = tonumber(first[2]) - band[3]
      next_at = math.min(next_at or time, time)
    end
  end
  if looks >= 512 then next_at = at end
else
  next_at = nil
end
if changed then keep() end
if taken > 0 and taken == many and redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(0', 'LIMIT', 0, 1)[1] then
  wake()
end
return {num(at), num(lease_ends), next_at and num(math.max(next_at - at, 0)) or false, jobs}
