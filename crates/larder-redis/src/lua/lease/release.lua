-- Keeps the fence for a minute. That followers cannot be told is no error: they look for themselves.
local function release(fence, followed, publish)
  redis.call('SET', KEYS[2], fence .. ' 0', 'PX', 60000)
  if followed == 'f' then redis.pcall(publish, KEYS[2], '') end
end
