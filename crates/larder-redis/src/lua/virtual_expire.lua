local deadlines, now = KEYS[#KEYS], tonumber(ARGV[1])
for i = 1, #KEYS - 1 do
  local deadline = redis.call('HGET', deadlines, KEYS[i])
  if deadline and tonumber(deadline) <= now then
    redis.call('HDEL', deadlines, KEYS[i])
    redis.call('DEL', KEYS[i])
  end
end
