local gone, out, done, freed, seen = {KEYS[1]}, {KEYS[2]}, {KEYS[5]}, false, {}
for n, id in ipairs(ids) do
  local decided, state = ARGV[2 * n + 2], held[n + 1]
  local op, of_fence, micros = struct.unpack('<Bdd', decided)
  if seen[id] then state = seen[id] ~= 'a' and redis.call('HGET', KEYS[1], id) end
  local size, a, f, s, d, e, c, u, kl, gl, rl = state and #state or 0
  if size >= 44 then a, f, s, d, e, c, u, kl, gl, rl = struct.unpack('<I4ddddBBI2I2I2', state) end
  if not f or size < 44 + kl + gl + rl or f == 0 or f ~= of_fence then
    local known = not state and redis.call('ZSCORE', KEYS[5], id)
    if seen[id] == 'a' and retention > 0 then known = at + retention end
    settled[n] = known and known + 0 > at and 2 or 3
  elseif op == 97 then
    changed, freed, settled[n], seen[id] = true, true, 0, 'a'
    if gl > 0 then
      leave(id, parse(state))
    else
      out[#out + 1] = id
      if kl > 0 and u < 3 then
        local k = string.sub(state, 45, 44 + kl)
        if redis.call('HGET', KEYS[6], k) == id then redis.call('HDEL', KEYS[6], k) end
      end
    end
    gone[#gone + 1], gone[#gone + 2] = id, '\0' .. id
    done[#done + 1], done[#done + 2] = at + retention, id
  else
    local j, text = parse(state), string.sub(decided, 18)
    changed, settled[n], seen[id] = true, 0, 'o'
    if op == 101 then
      redis.call('ZADD', KEYS[2], LEASED + at + micros, id)
      look_at = math.min(look_at, at + micros)
      latest = math.max(latest, at + micros)
    elseif op == 112 then
      j.p = text
      save(id, j)
    else
      freed = true
      if op == 106 or op == 110 and j.a >= max_attempts then
        bury(id, j, text)
        settled[n] = 1
      else
        if op == 114 then j.a = j.a - 1 else j.r = text end
        j.d = at + micros
        if micros == 0 then place(id, j) else hide(id, j) end
        save(id, j)
      end
    end
  end
end

local acked = (#gone - 1) / 2
if acked > 0 then
  if #out > 1 then redis.call('ZREM', unpack(out)) end
  redis.call('HDEL', unpack(gone))
  if retention > 0 then
    redis.call('ZADD', unpack(done))
    latest = math.max(latest, at + retention)
  end
  -- Some in sixteen times, by the clock, since the look costs as much as half an ack.
  if at % 16 < acked then
    local old = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', at, 'LIMIT', 0, 64 + acked)
    if #old > 0 then redis.call('ZREM', KEYS[5], unpack(old)) end
  end
  local known = redis.call('ZCARD', KEYS[5])
  if known <= acked then made[5] = true end
  local over = math.min(known - max_done, acked + 64)
  if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[5], 0, over - 1) end
end
-- What has ended makes room under a limit of what runs.
wakes = placed or sooner or freed and max_running > 0
