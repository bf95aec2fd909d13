local larder_waiters = table.remove(KEYS)
local function wake()
  -- That nobody can be told is no error: those who wait look again from time to time.
  if redis.pcall('GET', larder_waiters) == '1' and redis.pcall('PUBLISH', larder_waiters, '') == 0 then
    redis.pcall('DEL', larder_waiters)
  end
end
