local removed = redis.call('DEL', KEYS[1])
local fence, deadline, followed = state()
if fence and deadline ~= '0' then release(fence, followed, ARGV[1]) end
return removed
