-- ARGV: how many to take afterwards; then for each job its id, and in one what its holder decides: 'a' ack,
-- 'n' nack, 'j' reject, 'r' release, 'e' extend or 'p' progress; the fence; the delay or the lease; a text.
local ids, many, settled = {}, ARGV[2] + 0, {}
for i = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local held = redis.call('HMGET', KEYS[1], '', unpack(ids))
local meta = held[1]
if not meta then
  for n = 1, #ids do settled[n] = 3 end
  return {settled, at, 0, false, {}}
end
