// The page that one comes to by signing out, or by deleting one's account.
import { forgetLeft } from "./kept.js";

forgetLeft();
