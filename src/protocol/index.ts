/**
 * The protocol: pure state machines, messages and frames. No I/O, no clock, no randomness.
 *
 * @module
 */
export * from './errors.ts'
export * from './frame-types.ts'
export * from './limits.ts'
export * from './messages.ts'
export * from './moves.ts'
export * from './table.ts'
export * from './body-receiver.ts'
export * from './body-sender.ts'
export * from './claim.ts'
export * from './deadlines.ts'
export * from './exchange.ts'
export * from './exchange-failure.ts'
export * from './offer.ts'
export * from './application-details.ts'
export * from './backoff.ts'
export * from './certificate.ts'
export * from './configuration.ts'
export * from './dialer.ts'
export * from './registration.ts'
export * from './fields.ts'
export * from './frame.ts'
export * from './heads.ts'
export * from './msgpack.ts'
export * from './exchange-frames.ts'
