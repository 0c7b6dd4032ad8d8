export const checkKcat = async (_: unknown) => {}
