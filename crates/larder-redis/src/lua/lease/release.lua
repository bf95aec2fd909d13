-- Keeps the fence for a minute.
local function release(fence)
  redis.call('SET', KEYS[2], fence .. ' 0', 'PX', 60000)
  wake()
end
