-- ARGV: what to do, group, lease in milliseconds, delay in milliseconds, reason, the most dead letters, TTL;
-- then the id, the consumer and the count of each delivery.
local op, group, lease, delay = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local g = load(group)
local results, is_any = {}, false
for i = 8, #ARGV, 3 do
  local id, consumer = ARGV[i], ARGV[i + 1]
  local found = g and (maybe('XPENDING', KEYS[1], group, id, id, 1) or {})[1]
  local is_owner = found and found[2] == consumer and found[4] == tonumber(ARGV[i + 2])
  if is_owner then
    if op == 'ack' then
      redis.call('XACK', KEYS[1], group, id)
    elseif op == 'reject' then
      bury(group, id, found[4], ARGV[5], ARGV[6])
    elseif op == 'extend' then
      assign(group, consumer, {id}, now_ms)
    else
      -- It is nobody's, and due after the delay, which is at most a lease.
      local at = now_ms - lease + math.min(delay, lease)
      assign(group, '(returned)', {id}, at)
      is_due_at(g, at + lease)
    end
    is_any = true
  end
  results[#results + 1] = is_owner and 'done' or (found and 'stale' or 'gone')
end
if is_any and op == 'nack' then
  save(group, g)
  wake()
end
if g then keep(ARGV[7]) end
return results
