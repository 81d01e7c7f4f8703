# Every freedom of TCP, bound. `wirelaw` is our own stack; `viperdos` behaves the same with the original's small numbers,
# which are sizes of buffers and tables and stand with the host (impl/net/config.py).

profile wirelaw for tcp.connection {
  "Our own stack"
  choose rst_near   = challenge
  choose shrunk     = obey
  choose syn_near   = challenge
  choose past_zero  = accept
  choose ts_missing = accept
  choose ts_odd     = skip
  choose beyond     = trim
  choose reassembly = keep
  choose fin_edge   = refuse
  choose syn_text   = queue
  choose ack_before = accept
  choose ack_old    = challenge
  choose bad_ack    = inside
  choose hard_error = bear
  choose hard_open  = bear

  set ack_delay          = 40ms
  set msl                = 30s
  set challenge_interval = 500ms
  set rto_initial        = 1s
  set rto_min            = 1s
  set rto_max            = 60s
  set user_patience      = 100s
  set syn_patience       = 180s
  set orphan_patience    = 60s

  order tx.abort, abort.quiet, close.unopened, tx.abort.edge, tx.syn, tx.syn.again, tx.synack, tx.synack.again, tx.ack.edge, tx.again,
    tx.data, tx.probe, tx.fin, tx.fin.last, persist.arm, orphan.arm, tx.ack
}
