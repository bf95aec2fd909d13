local fence, deadline, followed = state()
local at = now()
if fence ~= ARGV[1] or tonumber(deadline) <= at then return 0 end
local hold = tonumber(ARGV[2])
redis.call('SET', KEYS[2], fence .. ' ' .. num(at + hold) .. followed, 'PX', num(hold / 1000 + 60000))
if followed == 'f' and at + hold < tonumber(deadline) then redis.pcall(ARGV[3], KEYS[2], '') end
return 1
