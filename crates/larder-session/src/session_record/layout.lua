-- A session is one string. It begins with a head of fixed length: the version of the layout; the hash of
-- the secret; last seen, idle and absolute deadline, created; the generation; the weight of the data; the
-- choice of the sign-in (idle and touch in microseconds, or 0, and the cookie's expiry). Then, in ROTATED
-- alone, when a rotation made the secret. Then the length of the previous hash and its end, or 0; the length
-- of the user, or 0, followed by the user, the epoch, the time, the generation and the method of the sign-in.
-- Then each field: two lengths, name, value.
--
-- Releases that only know FORM do not recognize a session in ROTATED, and leave it as it is.
--
-- What is left of a session that was ended is a string too: another version, the hash of its secret, the
-- reason, when the key expires, and the id of the call that ended it, if it is known.
local HEAD, FORM, ROTATED = '>Bc32i8i8i8i8I4I4i8i8B', 3, 4
local TOMBSTONE, ENDED = '>Bc32Bi8', 200

local function is_session(form)
  return form == FORM or form == ROTATED
end

-- Times and spans are never negative, and below 2^53, from where on Lua rounds.
local function are_times(...)
  return math.min(...) >= 0 and math.max(...) < 9007199254740992
end

-- The head, and where it ends. Nil for what is not the head of a session.
local function head(text)
  local s, at = {rotated = 0}, nil
  s.form, s.hash, s.seen, s.idle_at, s.absolute_at, s.created, s.generation, s.weight,
    s.idle, s.touch, s.expiry, at = struct.unpack(HEAD, text)
  if not is_session(s.form) or s.expiry > 2 then return nil end
  if not are_times(s.seen, s.idle_at, s.absolute_at, s.created, s.idle, s.touch) then return nil end
  return s, at
end

-- Like the Rust, so that no session lives for some programs and not for others.
local function parse(text)
  local s, at = head(text)
  if not s then return nil end
  local length, weight = nil, 0
  if s.form == ROTATED then s.rotated, at = struct.unpack('>i8', text, at) end
  length, at = struct.unpack('B', text, at)
  if length ~= 0 and length ~= 40 then return nil end
  if length > 0 then s.old, s.till, at = struct.unpack('>c32i8', text, at) end
  if not are_times(s.rotated, s.till or 0) then return nil end
  length, at = struct.unpack('>I2', text, at)
  if length > 0 then
    s.user, s.epoch, s.since, s.all, length, at = struct.unpack('>c' .. length .. 'c16i8i8B', text, at)
    if not are_times(s.since, s.all) then return nil end
    s.method = string.sub(text, at, at + length - 1)
    at = at + length
  end
  s.names, s.data = {}, {}
  while at <= #text do
    local short, long, name = struct.unpack('>BI4', text, at)
    name = string.sub(text, at + 5, at + 4 + short)
    at = at + 5 + short + long
    if s.data[name] then return nil end
    s.names[#s.names + 1], s.data[name] = name, string.sub(text, at - long, at - 1)
    weight = weight + 32 + short + long
  end
  if at ~= #text + 1 or weight ~= s.weight then return nil end
  return s
end

-- The living session: the key expires at the idle deadline, but up to a millisecond after the absolute
-- one. Bytes of another layout are not a session.
local function held(key, now)
  local text = redis.call('GET', key)
  local ok, s = pcall(parse, text or '')
  if ok and s and now < s.absolute_at then return s end
  return nil
end

-- The TTL in milliseconds, as keys expire: the idle deadline is exactly when the key expires. The choice
-- of the sign-in overrides the app's idle time.
local function life(now, chosen, idle, absolute_at)
  if chosen <= 0 then chosen = tonumber(idle) end
  return math.ceil(math.min(chosen, absolute_at - now) / 1000)
end

local function keep(key, s, now, idle)
  local ms = life(now, s.idle, idle, s.absolute_at)
  local form = s.rotated > 0 and ROTATED or FORM
  local parts = {struct.pack(HEAD, form, s.hash, now, now + ms * 1000, s.absolute_at, s.created, s.generation, s.weight,
    s.idle, s.touch, s.expiry)}
  parts[2] = form == ROTATED and struct.pack('>i8', s.rotated) or ''
  parts[3] = s.old and struct.pack('>Bc32i8', 40, s.old, s.till) or '\0'
  parts[4] = s.user and struct.pack('>I2', #s.user) .. s.user .. struct.pack('>c16i8i8B', s.epoch, s.since, s.all, #s.method) .. s.method or '\0\0'
  for _, name in ipairs(s.names) do
    local value = s.data[name]
    if value then
      parts[#parts + 1] = struct.pack('>BI4', #name, #value)
      parts[#parts + 1] = name
      parts[#parts + 1] = value
    end
  end
  put(key, table.concat(parts), ms)
end

