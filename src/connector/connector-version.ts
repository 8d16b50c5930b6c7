/** What this connector says that it runs: at its registration, and with each call. */
export const CONNECTOR_VERSION = '0.1.0'
