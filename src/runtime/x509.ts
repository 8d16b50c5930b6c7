/**
 * The one door to the certificate library: it needs `reflect-metadata` before it loads, in every
 * bundle.
 *
 * @module
 */
import 'reflect-metadata'
export * from '@peculiar/x509'
