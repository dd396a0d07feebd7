-- Books what a gateway has spent in a budget's period, and answers what all have. Nano-dollars, in Redis's integers: a
-- number of Lua's holds only nine million dollars of them.
--
-- KEYS[1]  a hash. `sum`: what all have spent; `gateway`: number, total and time (seconds) of what was last booked of it.
-- ARGV     gateway, number, total: all that it has spent in the period, corrections included;
--          the number and total that it knows to be booked; the sum it knows of; when the key is to go (Unix time).
--
-- Totals and numbers that grow, as in window.lua. Where Redis knows nothing, because it is new or has lost its memory,
-- the sum that the gateway knows is what there is: that of its last answer, or at its start that of its ledger.
local GATEWAYS_MAX = 64      -- then those are forgotten that told nothing for so long:
local FORGET_AFTER = 86400   -- seconds

local key, gateway = KEYS[1], ARGV[1]
local now = tonumber(redis.call('TIME')[1])

local function forget_gateways()
  if redis.call('HLEN', key) <= GATEWAYS_MAX then return end
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local time = fields[i] ~= 'sum' and string.match(fields[i + 1], ' (%d+)$')
    if time and tonumber(time) < now - FORGET_AFTER then redis.call('HDEL', key, fields[i]) end
  end
end

local function negative(text)
  if text == '0' then return text end
  return string.sub(text, 1, 1) == '-' and string.sub(text, 2) or '-' .. text
end

local mark = redis.call('HGET', key, gateway)
local booked, total = '0', ARGV[5]
if mark then
  booked, total = string.match(mark, '^(%d+) (%S+)')
else
  -- Of one that has been here and finds no mark the key was lost; another's knowledge may be in its place already.
  local sum = redis.call('HGET', key, 'sum')
  if not sum or (ARGV[4] ~= '0' and tonumber(sum) < tonumber(ARGV[6])) then
    redis.call('HSET', key, 'sum', ARGV[6])
    redis.call('EXPIREAT', key, ARGV[7])
  end
end
if tonumber(ARGV[2]) > tonumber(booked) then
  if not mark then forget_gateways() end
  redis.call('HINCRBY', key, 'sum', ARGV[3])
  redis.call('HINCRBY', key, 'sum', negative(total))
  redis.call('HSET', key, gateway, ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', now))
  redis.call('EXPIREAT', key, ARGV[7])
end
return redis.call('HGET', key, 'sum') or '0'
