-- KEYS[1]: the session. ARGV: the user whose it has to be, and an epoch of which it may not be; each
-- may be missing.
if ARGV[1] then
  local hash, user, epoch = unpack(redis.call('HMGET', KEYS[1], 'h', 'u', 'e'))
  if hash and (user ~= ARGV[1] or epoch == ARGV[2]) then return 0 end
end
del(KEYS[1])
return 1
