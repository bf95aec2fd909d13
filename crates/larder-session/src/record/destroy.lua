-- KEYS[1]: the session. ARGV: the user whose it has to be; nothing where it may be anybody's.
if ARGV[1] then
  local hash, user = unpack(redis.call('HMGET', KEYS[1], 'h', 'u'))
  if hash and user ~= ARGV[1] then return 0 end
end
del(KEYS[1])
return 1
