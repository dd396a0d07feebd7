-- Keeps how many calls of a scope each gateway has at the same time, and answers how many the others have.
--
-- KEYS[1]  a hash. `gateway`: calls and time (microseconds of Redis's clock).
-- ARGV     gateway, calls.
--
-- A number of one moment, so a telling that comes late or twice is right again with the next. A gateway that has any
-- tells every 20 ms; what was told longer ago is of one that has ended, and forgotten.
local KEPT = 3000000  -- microseconds

local key, gateway, calls = KEYS[1], ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local others = 0
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
  local count, time = string.match(fields[i + 1], '^(%d+) (%d+)$')
  if tonumber(time) < now - KEPT then
    redis.call('HDEL', key, fields[i])
  elseif fields[i] ~= gateway then
    others = others + count
  end
end
if calls == '0' then
  redis.call('HDEL', key, gateway)
else
  redis.call('HSET', key, gateway, calls .. ' ' .. string.format('%.0f', now))
  redis.call('PEXPIRE', key, KEPT / 1000)
end
return string.format('%.0f', others)
