
end
local larder_reply = larder_program()
for _, key in ipairs(KEYS) do
  local forgotten = redis.call('PTTL', key) == -1 or not redis.call('HGET', larder_deadlines, key)
  if redis.call('EXISTS', key) == 1 and forgotten then
    return redis.error_reply('NOTTL a key of the record has no TTL')
  end
end
return larder_reply
