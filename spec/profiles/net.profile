# Every freedom of address resolution and of looking up names, bound. How much may be remembered and wait stands with the host
# (impl/net/config.py).

profile wirelaw for arp.neighbour {
  "Our own stack: one request a second, three of them, then nothing more; an entry lives a minute, and is polled if it is used"
  choose ageing      = poll
  choose unsolicited = ignore
  set retry_interval = 1s
  set max_tries      = 3
  set entry_timeout  = 60s
  order ask.first, ask.again, poll.first, poll.again
}

profile wirelaw for dns.lookup {
  "Our own stack: four queries round the servers, each waited for twice as long as the one before, up to 4 s"
  set first_wait   = 1s
  set longest_wait = 4s
  set max_tries    = 4
  set longest_ttl  = 24h
  order ask.first, ask.again, give.up
}

profile wirelaw for icmp.host {
  "Our own stack: fifty errors at once, then fifty a second"
  set burst    = 50
  set interval = 20ms
}

profile wirelaw for icmp.echo {
  "Our own stack: the user is told of every error"
  choose hint = tell
  order request
}

profile wirelaw for listener.queue {
  "Our own stack"
  set patience = 1s
  set flood    = 64
}
