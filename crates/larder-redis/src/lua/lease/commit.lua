local fence, deadline = state()
if fence ~= ARGV[1] or tonumber(deadline) <= now() then return 0 end
local condition = ARGV[4]
if #condition == 2 then
  if not redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3], condition) then return 0 end
else
  if condition ~= '' and redis.call('GETRANGE', KEYS[1], 0, 15) ~= condition then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
release(fence)
return 1
