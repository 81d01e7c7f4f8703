profile wirelaw for tls13.client {
  "The client that Wirelaw generates: middlebox compatibility, no certificate unless the host has one, new keys every 16 million records"
  choose compatibility = middlebox
  set rekey_after      = 16777216
  order ch.first, tx.ccs, ch.again, cert.own, cert.none, cv.own, fin.own, tx.canceled, ku.reply, ku.ask, ku.tell, tx.app, tx.leave,
    tx.close, tx.closed
  take [ticket.long] go
}
