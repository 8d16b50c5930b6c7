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
