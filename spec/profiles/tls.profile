profile wirelaw for tls13.client {
  "The client that Wirelaw generates: middlebox compatibility, no certificate unless the host has one, new keys every 16 million records"
  choose compatibility = middlebox
  set rekey_after      = 16777216
  order ch.first, tx.ccs, ch.again, tx.early, eoed, cert.own, cert.none, cv.own, fin.own, tx.canceled, ku.reply, ku.ask, ku.tell, tx.app,
    tx.leave, tx.close, tx.closed
  take [ticket.long] go
}

profile wirelaw for tls13.server {
  "The server that Wirelaw generates: middlebox compatibility, no certificate asked for, strict where only the client is bound"
  choose compatibility  = middlebox
  choose authentication = unwanted
  set rekey_after       = 16777216
  set tickets_each      = 2
  order sh, sh.again, hrr, no.match, tx.ccs, ee, cr, cert.own, cv.own, fin.asked, fin.own, tx.canceled, ku.reply, ku.ask, ku.tell, ticket,
    tx.half, tx.app, tx.leave, tx.close, tx.closed
  take [ch.legacy.odd] go
  take [ch.untidy] abort
  take [ch.changed] abort
  take [cert.none] go
  take [cert.bad] abort
}
