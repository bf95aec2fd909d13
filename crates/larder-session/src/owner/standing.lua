local epoch, spared, latest = unpack(redis.call('HMGET', KEYS[1], 'e', 'k', 'x'))
if not epoch or now() >= tonumber(latest) then return false end
return {epoch, spared}
