-- KEYS[1]: the session. Returns the user, the epoch, the time, the generation and the method of the
-- sign-in, the deadlines, the choice of the sign-in, and the device's name.
local s = held(KEYS[1], now())
if not s or not s.user then return false end
local device = s.data['larder.device'] or false
return {s.user, s.epoch, num(s.since), num(s.all), s.method ~= '' and s.method, num(s.created), num(s.seen), num(s.idle_at),
  num(s.absolute_at), num(s.idle), num(s.touch), s.expiry, device}
