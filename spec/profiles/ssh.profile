profile wirelaw for ssh.transport.client {
  "The client that Wirelaw generates: EXT_INFO where it may, new keys every hour or 2^28 packets, tolerant where only the peer is bound"
  choose extensions  = told
  set rekey_packets  = 268435456
  set rekey_interval = 1h
  set first_service  = true
  order id.out, ki.first, ki.answer, kx.late, kx.none, kx.agreed, dh.out, nk.out, ext.out, bye.out, ki.again, sv.out, ua.out, gr.fail,
    ok.out, fail.out, fail.type, yes.out, no.out, adjust.out, close.out, open.out, req.out, data.out, eof.out, close.own
  take [ph.upper.rekey] abort
  take [ph.chan.rekey] abort
  take [ph.service.rekey] abort
  take [ext.early] go
  take [kex.stray] abort
  take [gr.reply] abort
  take [sv.role] abort
  take [ua.banner.late] go
  take [ua.method] abort
  take [open.many] abort
  take [data.late] abort
  take [data.over] abort
  take [ext.data.late] abort
  take [ext.data.over] abort
  take [close.twice] abort
}

profile wirelaw for ssh.transport.server {
  "The server that Wirelaw generates: EXT_INFO where it may, new keys every hour or 2^28 packets"
  choose extensions  = told
  set rekey_packets  = 268435456
  set rekey_interval = 1h
  order id.out, ki.first, ki.answer, kx.late, kx.none, kx.agreed, dh.out, nk.out, ext.out, bye.out, ki.again, sv.out, ua.yes, ua.no,
    gr.fail, ok.out, fail.out, fail.type, yes.out, no.out, adjust.out, close.out, open.out, req.out, data.out, eof.out, close.own
  take [ph.upper.rekey] abort
  take [ph.chan.rekey] abort
  take [ph.service.rekey] abort
  take [ext.early] go
  take [kex.stray] abort
  take [gr.reply] abort
  take [sv.role] abort
  take [sv.again] abort
  take [open.many] abort
  take [data.late] abort
  take [data.over] abort
  take [ext.data.late] abort
  take [ext.data.over] abort
  take [close.twice] abort
}
