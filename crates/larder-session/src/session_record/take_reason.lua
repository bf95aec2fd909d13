-- KEYS[1]: the session. ARGV: the hash of the request's secret; how long to remember that the reason was
-- taken, in milliseconds.
local text = redis.call('GET', KEYS[1])
if not text or #text < 42 then return 0 end
local form, hash, why = struct.unpack('>Bc32B', text)
if hash ~= ARGV[1] then return 0 end
if form == ENDED then
  if why == 0 then return 0 end
  redis.call('SETRANGE', KEYS[1], 33, '\0')
  return 1
end
if not is_session(form) then return 0 end
put(KEYS[1], struct.pack(TOMBSTONE, ENDED, hash, 0, now() + ARGV[2] * 1000), ARGV[2])
return 1
