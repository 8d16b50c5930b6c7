/**
 * Sign-on by Kerberos constrained delegation. Needs the optional peer `koffi`, and MIT's GSSAPI
 * library (Debian: `libgssapi-krb5-2`).
 *
 * @module
 */
export { kerberosSignOn, type KerberosSignOnOptions } from './kerberos-sign-on.ts'
export { type KerberosService } from './service-rules.ts'
