local fence, deadline = state()
local at = now()
if fence ~= ARGV[1] or tonumber(deadline) <= at then return 0 end
local hold = tonumber(ARGV[2])
redis.call('SET', KEYS[2], fence .. ' ' .. num(at + hold), 'PX', num(hold / 1000 + 60000))
if at + hold < tonumber(deadline) then wake() end
return 1
