local fence, deadline, followed = state()
local left = fence and tonumber(deadline) - now() or 0
if left <= 0 then return {-1, 0} end
if ARGV[1] == 'f' and followed == '' then
  redis.call('SET', KEYS[2], fence .. ' ' .. deadline .. 'f', 'KEEPTTL')
end
return {tonumber(fence), left}
