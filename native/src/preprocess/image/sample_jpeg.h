// A picture such as cameras make, for warm-up to time a decoder by. Pure; any thread.
#pragma once

#include <string>

namespace penstock::preprocess {

// A JPEG file of 640x480 pixels in colour, about 2.4 bits a pixel: shades, edges and some noise.
std::string MakeSampleJpeg();

}  // namespace penstock::preprocess
