local j = parse(held[2])
if not j then return 2 end
changed = true
leave(id, j)
redis.call('ZREM', KEYS[4], id)
forget(id)
-- Who cancels may not know of a limit on running jobs.
wakes = placed or j.f > 0
local reply = j.f > 0 and 1 or 0
