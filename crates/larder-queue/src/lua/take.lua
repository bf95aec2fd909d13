-- What one step moves and looks at, and the bytes of bodies that it takes unless one job has more.
local MOVED, LOOKS, STEP_BYTES = 64, 512, 1048576
local jobs, lease_ends, next_at = {}, at + lease, nil
if many > 0 and paused then
  looked_in_vain = true
elseif many > 0 then
  local taken, looks, bytes, is_cut, is_due = 0, 0, 0, false, at >= look_at
  if is_due then
    -- Leases that have ended, and jobs that are due.
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], LEASED, LEASED + at, 'LIMIT', 0, MOVED)) do
      local j = load(id)
      changed = true
      if not j then
        redis.call('ZREM', KEYS[2], id)
        forget(id)
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
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, at, 'LIMIT', 0, MOVED)) do
      local j = load(id)
      changed = true
      if j then
        place(id, j)
        save(id, j)
      else
        redis.call('ZREM', KEYS[2], id)
        forget(id)
      end
    end
  end

  local free, used = many, math.max(tat, at)
  -- A rate that was slower, or a clock that was ahead, holds nothing up: one job goes, and the others in their turn.
  if used > at + burst * interval then used = at + (burst - 1) * interval end
  if max_running > 0 then
    free = math.min(free, max_running - redis.call('ZCOUNT', KEYS[2], LEASED, '(+inf'))
  end
  if interval > 0 then
    local spare = math.floor((at + burst * interval - used) / interval)
    free = math.min(free, spare)
    if spare <= 0 then next_at = used + interval - burst * interval end
  end

  while taken < free and looks < LOOKS and not is_cut do
    local wanted = math.min(free - taken, LOOKS - looks)
    local found = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(0', 'LIMIT', 0, wanted)
    if #found == 0 then break end
    looks, changed = looks + #found, true
    local ids, of_group, held, from, read, moves = found, {}, nil, 0, 0, {KEYS[2]}
    if grouped then
      ids = {}
      for n, id in ipairs(found) do
        if string.byte(id) == 0 then
          local g = string.sub(id, 2)
          local first = first_of(g)
          if per_group > 0 and busy(g) >= per_group then first = nil end
          -- Without such a job the token stays, which names none.
          if first then
            id = string.sub(first, #g + 20)
            of_group[id] = first
          end
        end
        ids[n] = id
      end
    end
    for n = 1, #ids do
      if n > read then
        -- Bodies may be long: no more are read than fit, however long they are, and one in any case.
        local fit = math.floor((STEP_BYTES - bytes) / math.max(longest, 1))
        local fields = {KEYS[1]}
        from, read = read, math.min(#ids, read + math.max(math.min(fit, 32), 1))
        for i = n, read do
          local m = #fields
          fields[m + 1], fields[m + 2] = ids[i], '\0' .. ids[i]
        end
        held = redis.call('HMGET', unpack(fields))
      end
      local id, state, body, first = ids[n], held[2 * (n - from) - 1], held[2 * (n - from)], of_group[ids[n]]
      local size, u, kl, gl, rl = state and body and #state or 0
      if size >= 44 then u, kl, gl, rl = struct.unpack('<BI2I2I2', state, 38) end
      local is_job = u and size >= 44 + kl + gl + rl
      is_cut = is_job and taken > 0 and bytes + #body > STEP_BYTES
      if is_cut then break end
      if is_job then
        fence = math.max(fence + 1, at)
        state = struct.pack('<I4d', struct.unpack('<I4', state) + 1, fence) .. string.sub(state, 13)
        if u == 2 then
          local k = string.sub(state, 45, 44 + kl)
          if redis.call('HGET', KEYS[6], k) == id then redis.call('HDEL', KEYS[6], k) end
        end
        if first then
          redis.call('ZADD', KEYS[3], 0, 'b' .. string.sub(state, 45 + kl, 44 + kl + gl) .. '\0' .. id)
        end
        local m, w, j = #moves, #writes, 3 * taken
        moves[m + 1], moves[m + 2] = LEASED + lease_ends, id
        writes[w + 1], writes[w + 2] = id, state
        jobs[j + 1], jobs[j + 2], jobs[j + 3] = id, state, body
        taken, bytes = taken + 1, bytes + #body
      else
        -- What is not of this form was not written here.
        redis.call('ZREM', KEYS[2], id)
        if string.byte(id) ~= 0 then redis.call('HDEL', KEYS[1], id, '\0' .. id) end
      end
      if first then
        local g = string.sub(first, 2, string.find(first, '%z') - 1)
        redis.call('ZREM', KEYS[3], first)
        -- The turn of the group is over: the next one is at the end.
        redis.call('ZREM', KEYS[2], '\0' .. g)
        offer(g)
      end
    end
    if #moves > 1 then redis.call('ZADD', unpack(moves)) end
  end

  if taken > 0 then latest = math.max(latest, lease_ends) end
  if interval > 0 and taken > 0 then tat = used + taken * interval end
  look_at = math.min(look_at, lease_ends)
  if is_due or taken == 0 then
    local due = redis.call('ZRANGEBYSCORE', KEYS[2], 0, '(4503599627370496', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    local ended = redis.call('ZRANGEBYSCORE', KEYS[2], LEASED, '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    look_at = math.min(due and due + 0 or NEVER, ended and ended - LEASED or NEVER)
  end
  if taken == 0 then
    looked_in_vain = true
    next_at = math.min(next_at or NEVER, look_at)
    if looks >= LOOKS then next_at = at end
    next_at = next_at < NEVER and math.max(next_at - at, 0) or nil
  else
    next_at = nil
    local is_full = taken == many or is_cut
    if is_full and not told and redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(0', 'LIMIT', 0, 1)[1] then
      wakes = true
    end
  end
end
