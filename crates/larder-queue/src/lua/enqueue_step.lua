local done = redis.call('ZMSCORE', KEYS[5], unpack(ids))
local room = most - (meta and (redis.call('HLEN', KEYS[1]) - 1) / 2 or 0)
if room < #ids then room = room + redis.call('ZCARD', KEYS[4]) end
local was_empty = not told and not redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(0', 'LIMIT', 0, 1)[1]

local add
if needs then
  local forgot = false

  function add(id, fixed, when, body)
    local c, u, kl, gl = struct.unpack('<BBI2I2', fixed)
    local k, g = string.sub(fixed, 9, 8 + kl), string.sub(fixed, 9 + kl)
    local due, lasts, replaces = at, 0, 0
    if when ~= '' then
      local origin
      origin, due, lasts, replaces = struct.unpack('<BddB', when)
      if origin == 0 then due = at + due end
      due = math.max(math.min(due, LEASED - 1), at)
    end

    if k ~= '' then
      if not forgot then
        for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', at, 'LIMIT', 0, 64 + #ids)) do
          redis.call('ZREM', KEYS[7], old)
          redis.call('HDEL', KEYS[6], old)
          changed = true
        end
        forgot = true
      end
      local other, key_ends = redis.call('HGET', KEYS[6], k), redis.call('ZSCORE', KEYS[7], k)
      local is_held = other and not (key_ends and key_ends + 0 <= at)
      -- A key without an end goes with its job.
      if is_held and not key_ends then is_held = redis.call('HEXISTS', KEYS[1], other) == 1 end
      if is_held then
        local j = replaces == 1 and load(other)
        -- A key of this mode is its job's until that is first taken, so one with a place waits yet.
        if j and (j.s == 0 or j.u == 2) then
          changed = true
          if j.s > 0 and j.g ~= '' then redis.call('ZREM', KEYS[3], waiting(j.g, j.c, j.s, other)) end
          j.d, j.s = due, 0
          hide(other, j)
          if j.g ~= '' then offer(j.g) end
          save(other, j)
          redis.call('HSET', KEYS[1], '\0' .. other, body)
        end
        return other
      end
    end
    if room <= 0 or k ~= '' and redis.call('HLEN', KEYS[6]) >= max_keys then return 2 end

    changed, room = true, room - 1
    local j = {a = 0, f = 0, s = 0, d = due, e = at, c = c, u = u, k = k, g = g, r = '', p = ''}
    if due > at then hide(id, j) else place(id, j) end
    save(id, j)
    redis.call('HSET', KEYS[1], '\0' .. id, body)
    if k ~= '' then
      redis.call('HSET', KEYS[6], k, id)
      made[6] = true
      if u == 3 then
        redis.call('ZADD', KEYS[7], at + lasts, k)
        made[7], latest = true, math.max(latest, at + lasts)
      else
        redis.call('ZREM', KEYS[7], k)
      end
    end
    return 1
  end
end

local reply, moves, mine = {}, {KEYS[2]}, {}
local is_one = #ids == 1
for n = 1, #ids do
  local id, i = ids[n], 4 * n
  local fixed, when, body = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  longest = math.max(longest, #body)
  if held[n + 1] or mine[id] or done[n] and done[n] + 0 > at then
    reply[n] = id
  elseif needs and (when ~= '' or #fixed > 8) then
    reply[n] = add(id, fixed, when, body)
    mine[id] = reply[n] == 1
  elseif room <= 0 then
    reply[n] = 2
  else
    -- Now, without a unique key and a group: written below with all that are like it.
    changed, placed, room, seq, reply[n] = true, true, room - 1, seq + 1, 1
    local rank, state = FLOOR + string.byte(fixed) * CLASS + seq, struct.pack('<I4dddd', 0, 0, seq, at, at) .. fixed
    if is_one then
      writes = {KEYS[1], '', '', id, state, '\0' .. id, body}
      redis.call('ZADD', KEYS[2], rank, id)
    else
      local w, m = #writes, #moves
      writes[w + 1], writes[w + 2], writes[w + 3], writes[w + 4] = id, state, '\0' .. id, body
      moves[m + 1], moves[m + 2], mine[id] = rank, id, true
    end
  end
end
if #moves > 1 then redis.call('ZADD', unpack(moves)) end
wakes = sooner or placed and was_empty
