
-- Writes what is not yet written. Each key ends when the record does: its end moves when a sixteenth of the
-- TTL has passed or something is due later, and keys that were made meanwhile get the same end.
if wakes and not told then
  wake()
  told = true
end
if looked_in_vain then told = false end
local all = false
if changed then
  local needed = math.max(latest, at) + span
  all = ends < needed - math.floor(span / 16)
  -- In whole milliseconds, so that the first key is never the last to end.
  if all then ends = at + math.floor((needed - at + 999) / 1000) * 1000 end
  if not meta then redis.call('ZADD', KEYS[2], '+inf', '') end
end
if meta or changed then
  flags = (paused and 1 or 0) + (told and 2 or 0) + (grouped and 4 or 0)
  writes[3] = struct.pack('<dddddBd', seq, fence, ends, tat, look_at, flags, longest)
  if #writes > 3 or writes[3] ~= meta then redis.call('HSET', unpack(writes)) end
  if all or next(made) then
    local ms = math.floor((ends - at + 999) / 1000)
    for i = 1, #KEYS do
      if all or made[i] then ttl(KEYS[i], ms) end
    end
  end
end
return reply
