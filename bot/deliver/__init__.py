"""投递: the only sender. Approved posts become deliveries, deliveries become attempts.

plan      approved posts → deliveries; later revisions re-point what is unsent, edit what is sent
about     likewise from what takes another post down, or reposts it
ledger    the transactions: take (claim + begin), settle, sweep; the promises live here
engine    the calls between them, side by side
holds     the stop switch and everything else that stops
queue     what people do with deliveries, and why one has not gone yet
accounts  accounts as config declares them: taken in, connected, checked
"""
