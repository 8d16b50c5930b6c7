export * from './key-ring-file.ts'
