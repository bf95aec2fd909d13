-- The moves of a job from state to state. They cost each call that makes them, so most do without.
local busy, first_of, waiting, offer, parse, load, save, place, hide, free_key, leave, forget, bury
if needs then
  function busy(g)
    return redis.call('ZLEXCOUNT', KEYS[3], '[b' .. g .. '\0', '(b' .. g .. '\1')
  end

  function first_of(g)
    return redis.call('ZRANGEBYLEX', KEYS[3], '[w' .. g .. '\0', '(w' .. g .. '\1', 'LIMIT', 0, 1)[1]
  end

  function waiting(g, c, s, id)
    return 'w' .. g .. '\0' .. c .. string.format('%016.0f', s) .. id
  end

  -- Keeps the token of a group if a job of it can be taken, in the priority of that job.
  function offer(g)
    local token, first = '\0' .. g, first_of(g)
    if not first or per_group > 0 and busy(g) >= per_group then
      redis.call('ZREM', KEYS[2], token)
      return
    end
    local class, rank = string.sub(first, #g + 3, #g + 3) + 0, redis.call('ZSCORE', KEYS[2], token)
    if not rank or math.floor((rank - FLOOR) / CLASS) ~= class then
      seq = seq + 1
      redis.call('ZADD', KEYS[2], FLOOR + class * CLASS + seq, token)
      placed = true
    end
  end

  -- What is not of this form was not written here, and counts as absent.
  function parse(state)
    if not state or #state < 44 then return nil end
    local a, f, s, d, e, c, u, kl, gl, rl = struct.unpack('<I4ddddBBI2I2I2', state)
    if #state < 44 + kl + gl + rl then return nil end
    return {
      a = a, f = f, s = s, d = d, e = e, c = c, u = u, k = string.sub(state, 45, 44 + kl),
      g = string.sub(state, 45 + kl, 44 + kl + gl), r = string.sub(state, 45 + kl + gl, 44 + kl + gl + rl),
      p = string.sub(state, 45 + kl + gl + rl),
    }
  end

  function load(id) return parse(redis.call('HGET', KEYS[1], id)) end

  function save(id, j)
    local head = struct.pack('<I4ddddBBI2I2I2', j.a, j.f, j.s, j.d, j.e, j.c, j.u, #j.k, #j.g, #j.r)
    redis.call('HSET', KEYS[1], id, head .. j.k .. j.g .. j.r .. j.p)
  end

  -- Lets a job be taken, at its place or at the end.
  function place(id, j)
    j.f = 0
    if j.s == 0 then
      seq = seq + 1
      j.s = seq
    end
    if j.g == '' then
      redis.call('ZADD', KEYS[2], FLOOR + j.c * CLASS + j.s, id)
      placed = true
      return
    end
    grouped, made[3] = true, true
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], 'b' .. j.g .. '\0' .. id)
    redis.call('ZADD', KEYS[3], 0, waiting(j.g, j.c, j.s, id))
    offer(j.g)
  end

  -- Hides a job until it is due.
  function hide(id, j)
    j.f = 0
    redis.call('ZADD', KEYS[2], j.d, id)
    latest, look_at = math.max(latest, j.d), math.min(look_at, j.d)
    if j.g ~= '' then
      grouped = true
      if j.s > 0 and keeps_order == 0 then
        redis.call('ZREM', KEYS[3], 'b' .. j.g .. '\0' .. id)
        offer(j.g)
      end
    end
    local first = redis.call('ZRANGEBYSCORE', KEYS[2], 0, '(4503599627370496', 'LIMIT', 0, 1)[1]
    if first == id then sooner = true end
  end

  -- Frees the unique key of a job, if it is still its own and does not outlive it.
  function free_key(id, j)
    if j.k ~= '' and j.u < 3 and redis.call('HGET', KEYS[6], j.k) == id then redis.call('HDEL', KEYS[6], j.k) end
  end

  -- Takes a job out of the line, and frees its group and its unique key.
  function leave(id, j)
    redis.call('ZREM', KEYS[2], id)
    if j.g ~= '' then
      redis.call('ZREM', KEYS[3], 'b' .. j.g .. '\0' .. id, waiting(j.g, j.c, j.s, id))
      offer(j.g)
    end
    free_key(id, j)
  end

  function forget(id) redis.call('HDEL', KEYS[1], id, '\0' .. id) end

  -- Makes a job a dead letter, and removes the oldest past the cap.
  function bury(id, j, reason)
    leave(id, j)
    j.f, j.r = 0, reason
    save(id, j)
    redis.call('ZADD', KEYS[4], at, id)
    made[4] = true
    local over = math.min(redis.call('ZCARD', KEYS[4]) - max_dead, 16)
    if over > 0 then
      for _, oldest in ipairs(redis.call('ZRANGE', KEYS[4], 0, over - 1)) do
        redis.call('ZREM', KEYS[4], oldest)
        forget(oldest)
      end
    end
  end
end

